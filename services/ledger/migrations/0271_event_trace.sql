-- Where in which trace a transaction was posted (W3C traceparent), told with its event, so that what follows from it is
-- of the same trace. Null where that was not sampled, and for what is no event.
ALTER TABLE transaction ADD COLUMN trace_parent text CHECK (octet_length(trace_parent) = 55);
