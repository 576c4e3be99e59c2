-- What becomes of points that are given back to a lot whose end has passed: 'GONE' or 'AS_EARNED_NOW'. Those that a hold
-- gives back too late have always been gone.
ALTER TABLE unit ADD COLUMN ended_lot_policy text NOT NULL DEFAULT 'GONE'
    CHECK (ended_lot_policy IN ('GONE', 'AS_EARNED_NOW'));
