"""The engine for many processes; its statements are shaped for Citus."""
