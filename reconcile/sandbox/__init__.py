"""
The API's stand-in: strict, seeded, with faults on demand. Shares no code with the client.

Where the vendor's documents are silent, the answer that is harder on a client was chosen:

- `Accept` must name the JSON:API media type; `*/*` is not acceptable. Brackets must be percent-encoded.
- A filter on `mismatched_amounts`, without a value, with a value of the wrong kind or with an id that never was, is a
  400; the id of a deleted row can be compared.
- Instants have microseconds that answers do not show: `created_at_lteq` with a shown time can miss its own row.
- `page_count` of an empty list is 0. `record_count` shrinks under `id_gt`. Past the last page is an empty page.
- An included resource whose relationship is not among the sparse fields comes without linkage.
- `payment_gateway` links to the concrete type, `klarna_gateways`.
- All requests of one resource are one endpoint to the burst limit. Refused requests count, as do those without a
  token. A 429 is plain text without `Retry-After`, its headers describe the average even when the burst was hit.
- A sales channel may do nothing here. Names that are no parameter are ignored without a word.
- An export is no snapshot: its file holds the rows as they are when it is written, `records_count` is of before. With
  `fields` only what is named is in it, `id` too. An export that runs cannot be deleted, only interrupted. Each look
  gives another URL of the file; a request with both URL and token is refused by the storage.
- A trail of event stores begins with the oldest; credentials are in it as they are among the attributes. `versions`
  are empty, or there in place of event stores.
- An include has three levels at most, and may ask of a polymorphic relationship what all its types have. What is
  listed as data is not included again. Resources without rows of their own here have attributes that are null.
- Creating a klarna payment makes it the source of its order, which must not be placed. `_update` is refused when the
  order is placed, when the payment is not its source, and two days after the session was last written; a change of
  references does not write it. A payment cannot be deleted once its order is placed or money went through it.
"""
