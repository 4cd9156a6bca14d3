"""Files on their way from the browser: Streamlit keeps each as long as its session, unless it is told otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import DeletedFile, UploadedFile


def take_over(
    found: UploadedFile | DeletedFile | Sequence[UploadedFile | DeletedFile] | None,
) -> list[tuple[bytes, str]]:
    """Content and name of what a widget has received, of which Streamlit keeps nothing from then on.

    The browser goes on naming such a file as long as the widget stands there: what was taken over before is left out.
    """
    files = found if isinstance(found, Sequence) and not isinstance(found, DeletedFile) else [found]
    taken = []
    for file in files:
        if isinstance(file, UploadedFile) and not file.closed:
            taken.append((file.getvalue(), file.name))
            file.close()  # the widget's value keeps the object
            _forget(file.file_id)
    return taken


def _forget(file_id: str) -> None:
    context = get_script_run_ctx(suppress_warning=True)
    # Only this manager can remove a file; Streamlit's own widgets ask as well.
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        context.uploaded_file_mgr.remove_file(session_id=context.session_id, file_id=file_id)
