-- Where in which trace an event was written (W3C traceparent), so that what follows from it is of the same trace. Null
-- where that was not sampled.
ALTER TABLE event ADD COLUMN trace_parent text CHECK (octet_length(trace_parent) = 55);
