"""The saliency grid, its salient points, and the crop boxes of any ratio. Pure: everything follows from the grid."""
