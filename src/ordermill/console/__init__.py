"""The page for people: what happened to the orders, why some failed, and what to do now. Server-rendered."""
