-- A table that was never analysed is planned for by guesses: with no statistics "of this program" looks as selective as an
-- id, and whatever was planned so is kept until the first ANALYZE, a minute or two later. So a job asks for one whenever
-- a small table has grown by half, and the first minute is as fast as every other.
--
-- ANALYZE is the owner's to do: hence a function in the owner's name, for these tables alone.
CREATE FUNCTION analyze_growing(relation text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF relation NOT IN ('owner', 'account', 'lot', 'hold', 'transaction', 'purchase', 'refund') THEN
        RAISE EXCEPTION 'not for this: %', relation;
    END IF;
    EXECUTE format('ANALYZE public.%I', relation);
END
$$;
REVOKE ALL ON FUNCTION analyze_growing (text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION analyze_growing (text) TO fealty_ledger_jobs;
