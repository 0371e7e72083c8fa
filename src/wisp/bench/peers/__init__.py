"""The codecs that wisp is measured against; one adapter a file."""
