-- The effect that the tests' consumer has: what it applied, in the order in which it did. Nothing here hinders it from
-- applying an event twice: that is what the tests look for.
CREATE TABLE applied (
    sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_id uuid NOT NULL,
    version bigint NOT NULL
);
