-- A Noise executor comes back to its URL without registering, also after the gateway has restarted:
-- what it registered with has to be there. The key is kept as the text that came, not as jsonb, which
-- would not give it back unchanged.
ALTER TABLE executors ADD COLUMN security_profile text;
ALTER TABLE executors ADD COLUMN executor_public_key text;
