"""What a folder has that meshline can read: its files are recognised, and a mesh file that names them is drafted.

Files are read in part and never executed, links are not followed, no document makes a connection, and all of it is bounded.
"""

from meshline.ingest.discovery.draft import Draft, draft_mesh_file

__all__ = ["Draft", "draft_mesh_file"]
