"""Files in, files out: what people have in spreadsheets and exports, read into orders, and orders written as files."""
