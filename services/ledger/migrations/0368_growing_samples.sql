-- Small tables are looked at again and again while they grow, beside the postings that make them grow. What they are asked
-- for then is whether an index pays, and a fifth of the usual sample tells that as well in a fifth of the time. Once they
-- are large, Postgres's own ANALYZE takes its usual sample.
ALTER FUNCTION analyze_growing (text) SET default_statistics_target = 20;
