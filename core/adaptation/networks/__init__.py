"""Networks that map two domains into a shared latent space and back."""
