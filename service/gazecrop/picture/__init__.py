"""What a picture file is and shows: its head, its pixels, its colours; and pictures drawn from them. Pure."""
