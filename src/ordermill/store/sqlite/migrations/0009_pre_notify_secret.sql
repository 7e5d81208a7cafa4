-- The secret before the newest one signs the calls to a notifyUrl as well, until an instant.

ALTER TABLE account ADD COLUMN old_notify_secret TEXT;
ALTER TABLE account ADD COLUMN old_notify_secret_until INTEGER;
