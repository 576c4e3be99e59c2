-- The usual design: balances in rows, one of them the program's own; a transaction with its two entries per posting.
CREATE TABLE account (
    account_id uuid PRIMARY KEY,
    balance bigint NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE transaction (
    transaction_id uuid PRIMARY KEY,
    request_id uuid NOT NULL UNIQUE,
    kind text NOT NULL,
    source text NOT NULL,
    reason text NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE entry (
    account_id uuid NOT NULL,
    transaction_id uuid NOT NULL,
    value bigint NOT NULL,
    balance_after bigint NOT NULL,
    PRIMARY KEY (account_id, transaction_id)
);
