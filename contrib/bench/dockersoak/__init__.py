"""Lives of networks and containers on a real engine, with daemons killed; then what is left."""
