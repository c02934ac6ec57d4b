"""What a saliency map says: the grid, its points, and the crop boxes of any ratio. Pure."""
