"""What a session of one visitor needs: work in the background, messages, open bundles."""
