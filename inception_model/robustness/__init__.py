"""What turns an answer: everyday disturbances of the photo, and the smallest change that was made to fool."""
