"""What `train_emotion` does: every model of emotion from files of labelled texts, pieces and tracks."""
