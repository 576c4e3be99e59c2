-- Where in which trace an invitation was planned (W3C traceparent): the decision about it is of the same trace. Null where
-- that was not sampled.
ALTER TABLE invitation ADD COLUMN trace_parent text CHECK (octet_length(trace_parent) = 55);
