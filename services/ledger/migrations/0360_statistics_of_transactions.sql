-- ANALYZE reads, sorts and keeps samples of every column. Nobody ever looks for a transaction by these, and they are
-- most of its bytes: without them it takes half of the time, and a fresh ledger asks for it again and again.
ALTER TABLE transaction
    ALTER COLUMN command_hash SET STATISTICS 0,
    ALTER COLUMN money_minor SET STATISTICS 0,
    ALTER COLUMN currency_code SET STATISTICS 0,
    ALTER COLUMN entries SET STATISTICS 0,
    ALTER COLUMN lot_movements SET STATISTICS 0,
    ALTER COLUMN actor SET STATISTICS 0,
    ALTER COLUMN reason SET STATISTICS 0,
    ALTER COLUMN answer SET STATISTICS 0,
    ALTER COLUMN trace_parent SET STATISTICS 0,
    ALTER COLUMN chain_hash SET STATISTICS 0;
