-- A transaction that a request makes bears the request's id: whoever has the one has the other, also when the answer was
-- lost, and the primary key is the net for requests. An index less for each posting to write into, at a random place.
--
-- Those that were recorded before have an id of their own; so has whatever nobody asked for. For the former, this index
-- stays the net; it does not grow any more.
DROP INDEX transaction_request;
CREATE UNIQUE INDEX transaction_request ON transaction (program, request_id) WHERE request_id <> transaction_id;
