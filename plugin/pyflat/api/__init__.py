"""dockerd's side: JSON over HTTP to typed requests, and back."""
