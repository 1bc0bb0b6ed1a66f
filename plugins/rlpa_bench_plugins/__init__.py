"""Plugins that come with rlpa-bench, registered by entry points exactly as a third party's would be."""
