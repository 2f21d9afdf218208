"""Asking an exported model: single images, folders, labelled corpora."""
