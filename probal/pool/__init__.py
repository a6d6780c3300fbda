"""The pool: a folder of images, what is in it, its pictures in small, and its vectors."""

from probal.pool.decode import IMAGE_SUFFIXES, UnreadableImage, open_image
from probal.pool.embed import EmbedReport, embed_images
from probal.pool.features import FeatureStore
from probal.pool.scan import count_images, scan_folder
from probal.pool.thumbnails import THUMBNAIL_SIZES, thumbnail

__all__ = [
    "IMAGE_SUFFIXES",
    "THUMBNAIL_SIZES",
    "EmbedReport",
    "FeatureStore",
    "UnreadableImage",
    "count_images",
    "embed_images",
    "open_image",
    "scan_folder",
    "thumbnail",
]
