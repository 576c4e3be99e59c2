-- As the services have it.
ALTER TABLE api_key ADD COLUMN token_public_key bytea CHECK (octet_length(token_public_key) = 32);
