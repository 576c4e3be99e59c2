-- As the services have it.
ALTER TABLE event ADD COLUMN trace_parent text CHECK (octet_length(trace_parent) = 55);
