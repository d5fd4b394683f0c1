"""Where State is kept between two lives of the plugin."""
