"use strict";
// The table of breaks: filter, sort, open, save. Cells are made with textContent: no text from data becomes mark-up.
const currency = document.querySelector("#one-currency select");
const chosen = () => currency?.value ?? "";
if (currency) {
  currency.parentElement.hidden = false;
  currency.addEventListener("input", () => {
    for (const one of document.querySelectorAll("main [data-currency]:not(a)")) {
      one.classList.toggle("other-currency", chosen() !== "" && one.dataset.currency !== chosen());
    }
    for (const status of document.querySelectorAll("#statuses tbody")) {
      status.hidden = !status.querySelector("[data-currency]:not(.other-currency)");
    }
  });
}
const source = document.getElementById("rows");
if (source) {
  const { rows, columns, labels, meanings, dashboard: home, seen, written } = JSON.parse(source.textContent);
  const unpacked = columns => Object.fromEntries(Object.entries(columns).map(([name, c]) => [name, c.of ? c.at.map(i => c.of[i]) : c]));
  // Plain texts are sorted and saved; where the page has a locale, others are seen in their place.
  const column = unpacked(columns), looks = { ...column, ...unpacked(seen ?? {}), status: column.status.map(code => labels[code]) };
  const unsaid = { age_days: "0", state: "new" };  // what breaks of a first run all are
  const shown = [
    ["reference", "Reference", "t cut"], ["status", "Status", ""], ["currency_code", "Currency", ""],
    ["payment_amount", "Payment", "n"], ["order_amount", "Order", "n"], ["difference", "Difference", "n"],
    ["at_stake", "At stake", "n"], ["age_days", "Open for", "n"], ["data_age_days", "Age", "n"], ["state", "State", ""],
    ["suggestion", "Likely cause", "t"], ["accepted_reason", "Accepted", "t cut"], ["accepted_for", "Accepted no longer", "t cut"],
  ].filter(([name]) => column[name].some(text => text !== "" && text !== unsaid[name]));
  const sides = {
    Payment: ["payment_id", "payment_reference", "order_id", "order_number", "payment_amount", "payment_currency_code", "authorized_amount", "captured_amount", "refunded_amount", "voided_amount", "market_name", "payment_gateway_name", "order_source_type", "order_status", "payment_status", "mode", "placed_at", "payment_created_at", "mismatched_amounts", "links_dashboard"],
    "Order total": ["order_reference", "order_amount", "order_currency_code", "order_method", "order_carried", "order_source_file", "order_source_line"],
    Break: ["matched_on", "first_seen_on", "age_days", "data_age_days", "suggestion", "accepted_reason", "accepted_until", "accepted_for", "changed_from_status", "break_id", "item_id"],
  };
  const searched = ["reference", "payment_reference", "order_reference", "order_number", "order_id", "payment_id", "item_id", "break_id", "suggestion", "accepted_reason", "market_name", "payment_gateway_name", "order_method", "order_source_file"];
  const amounts = ["payment_amount", "order_amount", "difference", "at_stake"];
  const PAGE = 200;
  const $ = id => document.getElementById(id);
  const [filters, list, more] = [$("filters"), $("list"), $("more")];
  const unseen = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2028\u2029\u2060-\u206f\ufeff]/g;
  const visible = text => text.replace(unseen, sign => `‹U+${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}›`);
  const plain = text => text.replaceAll(",", "");
  const number = text => text === "" ? NaN : Number(plain(text));
  const numeric = new Set(shown.filter(one => one[2] === "n").map(one => one[0]));
  const folded = text => text.toLowerCase().replace(/[\u00a0\u202f]/g, " ").replaceAll("\u2212", "-");
  const carried = row => column.order_carried[row] && Object.entries(JSON.parse(column.order_carried[row])).map(pair => pair.join(": "));
  const hay = Array.from({ length: rows }, (_, row) => folded([...searched.map(name => column[name][row]), ...(carried(row) || [])].join("\n")));
  // An amount is found by how it begins, as it is seen and in plain digits, with its sign or without.
  const money = Array.from({ length: rows }, (_, row) => folded(amounts.flatMap(name => {
    const texts = [looks[name][row], plain(column[name][row])];
    return ["", ...texts, ...texts.map(text => text.replace(/^[-\u2212]/, ""))];
  }).join("\n")));
  let order = Array.from({ length: rows }, (_, row) => row), found = order, drawn = 0, sorted = ["", 1];

  const add = (parent, tag, text, kind) => {
    const element = parent.appendChild(document.createElement(tag));
    if (text !== undefined) element.textContent = visible(text);
    if (kind) element.className = kind;
    return element;
  };
  const isAged = (text, span) => {
    const [first, last] = span.split("-"), days = Math.max(Number(text), 0);
    return span === "none" ? text === "" : text !== "" && days >= Number(first) && (last === "" || days <= Number(last));
  };
  // A plain number as people write it, here and everywhere on the page.
  function look(text) {
    const [, minus, whole, decimals] = text.match(/^(-?)(\d+)(?:\.(\d+))?$/);
    const { group, groups, decimal, minus: sign, digits } = written ?? { group: ",", groups: [3, 3], decimal: ".", minus: "-" };
    const [last, before] = groups, head = whole.slice(0, -last).replace(new RegExp(`\\B(?=(\\d{${before}})+$)`, "g"), group);
    const seen = (minus && sign) + (head && head + group) + whole.slice(-last) + (decimals ? decimal + decimals : "");
    return digits ? seen.replace(/\d/g, digit => digits[digit]) : seen;
  }
  // A number as somebody typed it, in plain digits: NaN where it is none.
  function typed(text) {
    const { group, decimal, digits } = written ?? { group: ",", decimal: "." };
    const western = digits ? [...text].map(sign => digits.includes(sign) ? digits.indexOf(sign) : sign).join("") : text;
    return Number((group ? western.replaceAll(group, "") : western).replace(/\s/g, "").replace(decimal, "."));
  }
  // What is at stake in some rows, by currency; added up as whole numbers of the last decimal.
  function stakes(some) {
    const sums = new Map();
    for (const row of some.filter(row => column.at_stake[row] !== "")) {
      const text = plain(column.at_stake[row]), code = column.currency_code[row], places = (text.split(".")[1] ?? "").length;
      const sum = sums.get(code) ?? { total: 0n, places };
      sum.total += BigInt(text.replace(".", ""));
      sums.set(code, sum);
    }
    return [...sums].filter(([, sum]) => sum.total).map(([code, { total, places }]) => {
      const all = String(total).padStart(places + 1, "0");
      return `${code} ${look(places ? `${all.slice(0, -places)}.${all.slice(-places)}` : all)}`.trim();
    }).join(", ");
  }
  function find() {
    const wanted = Object.fromEntries(new FormData(filters));
    const text = folded(wanted.text.trim());
    found = order.filter(row =>
      (!wanted.status || column.status[row] === wanted.status) &&
      (!wanted.currency_code || column.currency_code[row] === wanted.currency_code) &&
      (!wanted.age || isAged(column.age_days[row], wanted.age)) &&
      (!wanted.data_age || isAged(column.data_age_days[row], wanted.data_age)) &&
      (!wanted.least.trim() || number(column.at_stake[row]) >= typed(wanted.least)) &&
      (!wanted.decision || (column.accepted_reason[row] !== "") === (wanted.decision === "yes")) &&
      (!text || hay[row].includes(text) || money[row].includes(`\n${text}`)));
    list.tBodies[0].replaceChildren();
    drawn = 0;
    draw();
  }
  function draw() {
    const part = document.createDocumentFragment();
    for (const row of found.slice(drawn, drawn + PAGE)) {
      const line = add(part, "tr");
      const opener = add(add(line, "td"), "button", "+");
      opener.type = "button";
      opener.setAttribute("aria-expanded", "false");
      opener.setAttribute("aria-label", `Both sides of ${visible(column.reference[row].slice(0, 80)) || column.item_id[row]}`);
      opener.onclick = () => open(line, opener, row);
      for (const [name, , kind] of shown) {
        const isText = kind.startsWith("t"), onPhones = ["reference", "status", "at_stake", "suggestion"].includes(name) ? name : "few";
        const cell = add(line, "td", isText ? undefined : looks[name][row], `${kind} ${onPhones}`.trim());
        const content = isText ? add(cell, "div", column[name][row]) : cell;
        if (isText) content.dir = "auto";
        if (name === "status") cell.title = column.status[row];
        if (name === "at_stake") cell.dataset.code = column.currency_code[row];
        if (name === "reference") dashboard(content, row, " ↗").setAttribute?.("aria-label", `Order of ${visible(column.reference[row].slice(0, 80))} in the dashboard`);
      }
    }
    list.tBodies[0].append(part);
    drawn = Math.min(drawn + PAGE, found.length);
    more.hidden = drawn === found.length;
    const counted = n => look(String(n)), sum = stakes(found);
    $("shown").textContent = `${counted(found.length)} of ${counted(rows)} breaks` + (drawn < found.length ? `, the first ${counted(drawn)} shown` : "") + (sum && `; at stake in them: ${sum}`);
  }
  // The order's page in the vendor's dashboard, for who clicks: nothing of it is fetched by this page.
  function dashboard(parent, row, text) {
    const address = column.links_dashboard[row];
    if (!address.startsWith(home)) return {};
    const link = add(parent, "a", text);
    link.href = address;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    return link;
  }
  function open(line, opener, row) {
    const isOpen = opener.getAttribute("aria-expanded") === "true";
    opener.setAttribute("aria-expanded", String(!isOpen));
    opener.textContent = isOpen ? "+" : "−";
    if (isOpen) return line.nextSibling.remove();
    const both = document.createElement("tr");
    both.className = "sides";
    const cell = add(both, "td");
    cell.colSpan = shown.length + 1;
    add(cell, "p", `${looks.status[row]}: ${meanings[column.status[row]] ?? ""} (${column.status[row]})`);
    const pair = add(cell, "div", undefined, "pair");
    for (const [title, names] of Object.entries(sides)) {
      const side = add(pair, "div");
      add(side, "h3", title);
      const facts = add(side, "dl");
      for (const name of names.filter(name => column[name][row] !== "")) {
        const fact = add(facts, "div");
        add(fact, "dt", name === "suggestion" ? "likely cause" : name.replaceAll("_", " "));
        if (name === "links_dashboard") dashboard(add(fact, "dd"), row, column[name][row]);
        else add(fact, "dd", looks[name][row]).dir = "auto";
      }
    }
    line.after(both);
  }
  function sort(name, way) {
    const keys = numeric.has(name) ? column[name].map(number) : (name === "status" ? looks : column)[name].map(text => text.toLowerCase());
    const isEmpty = key => key === "" || Number.isNaN(key);
    order = order.slice().sort((a, b) => {
      const [x, y] = [keys[a], keys[b]];
      if (isEmpty(x) || isEmpty(y)) return isEmpty(x) - isEmpty(y);
      return way * (x < y ? -1 : x > y ? 1 : 0);
    });
    sorted = [name, way];
    for (const head of list.tHead.rows[0].cells) {
      if (head.dataset.name === name) head.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    find();
  }
  // The guard of breaks.csv: an apostrophe before what a spreadsheet would run, at the start and after a separator.
  const skipped = "[' \\p{Z}\\p{Cf}\\p{Co}\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f]*";
  const sign = "[-=+@\\u2212\\ufe62\\ufe63\\ufe66\\ufe6b\\uff0b\\uff0d\\uff1d\\uff20]";
  const runs = new RegExp(`^(?=${skipped}(?:${sign}|[\\t\\r\\n]))|(?<=[;\\t\\r\\n])(?=${skipped}${sign})`, "gu");
  function cellOf(name, row) {
    const text = column[name][row];
    const safe = numeric.has(name) ? plain(text) : text.replace(runs, "'");
    return /[",\r\n#]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }
  $("export").onclick = () => {
    const names = Object.keys(column);
    const lines = [names.join(","), ...found.map(row => names.map(name => cellOf(name, row)).join(","))];
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    link.download = `breaks-${document.querySelector("h1 time")?.dateTime ?? document.querySelector("h1").textContent}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };
  const heads = list.tHead.rows[0];
  add(add(heads, "th"), "small", "Sides");
  for (const [name, title, kind] of shown) {
    const head = add(heads, "th", undefined, kind === "n" ? "n" : "");
    head.scope = "col";
    head.dataset.name = name;
    const button = add(head, "button", title);
    button.type = "button";
    button.onclick = () => sort(name, sorted[0] === name ? -sorted[1] : numeric.has(name) && name !== "difference" ? -1 : 1);
  }
  function choose(field, value) {
    if (field.options && ![...field.options].some(one => one.value === value)) field.add(new Option(value, value));
    field.value = value;
  }
  // Figures elsewhere on the page that count breaks show just these.
  for (const link of document.querySelectorAll('a[href="#breaks"]')) {
    link.addEventListener("click", () => {
      if (!Object.keys(link.dataset).length) return;
      filters.reset();
      const { status, age, dataAge, text } = link.dataset;
      const wanted = { currency_code: link.dataset.currency ?? chosen(), status, age, data_age: dataAge, text };
      for (const [name, value] of Object.entries(wanted)) choose(filters.elements[name], value ?? "");
      find();
    });
  }
  addEventListener("beforeprint", () => { while (drawn < found.length) draw(); });
  filters.oninput = find;
  filters.onsubmit = event => event.preventDefault();
  more.onclick = draw;
  currency?.addEventListener("input", () => {
    choose(filters.currency_code, chosen());
    find();
  });
  find();
}
