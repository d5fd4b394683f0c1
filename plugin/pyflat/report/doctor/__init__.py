"""What commonly keeps container networks from working on a host, looked for check by check."""
