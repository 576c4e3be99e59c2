-- By what member tokens are verified that the key signed. Null for keys that were made before there were such tokens: they
-- can issue none.
ALTER TABLE api_key ADD COLUMN token_public_key bytea CHECK (octet_length(token_public_key) = 32);
