"""What the black-box tests share: servers as real processes, a registry client that hides nothing, images, faults."""
