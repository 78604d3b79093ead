-- SHA-256 of the registration token, in hex, by which it is judged without bcrypt; null where the token
-- was never shown to a gateway that knows this column. Why that is sound: src/auth/token_digest.ts.
ALTER TABLE executors ADD COLUMN registration_token_digest text
  CHECK (registration_token_digest ~ '^[0-9a-f]{64}$');

-- Who changes the hash alone gives the executor another token: the old one's digest must not outlive it.
CREATE FUNCTION forget_registration_token_digest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.registration_token_digest := NULL;
  RETURN NEW;
END
$$;

CREATE TRIGGER forget_registration_token_digest BEFORE UPDATE ON executors FOR EACH ROW
  WHEN (NEW.registration_token_hash <> OLD.registration_token_hash
    AND NEW.registration_token_digest IS NOT DISTINCT FROM OLD.registration_token_digest)
  EXECUTE FUNCTION forget_registration_token_digest();
