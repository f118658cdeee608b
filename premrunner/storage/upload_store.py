"""The uploads that there are."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timezone

import orjson
from sqlalchemy import delete, select, update

from premrunner.errors import UploadNotFound
from premrunner.records import UploadFile, UploadRecord, is_id
from premrunner.storage.database import Database
from premrunner.storage.tables import UploadRow


class UploadStore:
    """Rows of ``uploads``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, upload: UploadRecord) -> None:
        """Keep a new upload."""
        row = UploadRow(
            id=upload.id,
            name=upload.name,
            files=_files_text(upload.files),
            size=upload.size_bytes,
            chunk_bytes=upload.chunk_bytes,
            state=upload.state,
            expected_sha256=upload.expected_sha256,
            sha256=upload.sha256,
            tus_metadata=upload.tus_metadata,
            created_at=upload.created_at,
            completed_at=upload.completed_at,
        )
        with self._database.session() as session:
            session.add(row)

    def get(self, upload_id: str) -> UploadRecord:
        """Return one upload.

        Raises:
            UploadNotFound: There is none of that id.
        """
        if not is_id(upload_id):  # It may hold what a database cannot even look for.
            raise UploadNotFound
        with self._database.session() as session:
            row = session.get(UploadRow, upload_id)
        if row is None:
            raise UploadNotFound
        return _record(row)

    def all(self) -> Sequence[UploadRecord]:
        """Return every upload, newest first."""
        with self._database.session() as session:
            rows = session.scalars(select(UploadRow).order_by(UploadRow.id.desc())).all()
        return [_record(row) for row in rows]

    def find_complete(self, sha256: str, size_bytes: int) -> UploadRecord | None:
        """Return a complete upload of that content; None when there is none."""
        same = select(UploadRow).where(
            UploadRow.sha256 == sha256, UploadRow.size == size_bytes, UploadRow.state == "complete"
        )
        with self._database.session() as session:
            row = session.scalars(same.order_by(UploadRow.id)).first()
        return _record(row) if row else None

    def find_open(self, expected_sha256: str, size_bytes: int) -> UploadRecord | None:
        """Return an unfinished upload that was announced with that digest; None when there is none."""
        same = select(UploadRow).where(
            UploadRow.expected_sha256 == expected_sha256, UploadRow.size == size_bytes, UploadRow.state == "open"
        )
        with self._database.session() as session:
            row = session.scalars(same.order_by(UploadRow.id.desc())).first()
        return _record(row) if row else None

    def settle_chunk_bytes(self, upload_id: str, chunk_bytes: int) -> UploadRecord:
        """Fix the size of an upload's chunks, unless it is fixed already, and return the upload.

        Raises:
            UploadNotFound: There is none of that id.
        """
        undecided = update(UploadRow).where(UploadRow.id == upload_id, UploadRow.chunk_bytes.is_(None))
        with self._database.session() as session:
            session.execute(undecided.values(chunk_bytes=chunk_bytes))
        return self.get(upload_id)

    def complete(self, upload: UploadRecord, sha256: str, digests: Sequence[str]) -> UploadRecord:
        """Record that an upload is complete.

        Raises:
            UploadNotFound: It was given up meanwhile.
        """
        files = [replace(file, sha256=digest) for file, digest in zip(upload.files, digests, strict=True)]
        ended = update(UploadRow).where(UploadRow.id == upload.id)
        with self._database.session() as session:
            session.execute(
                ended.values(
                    state="complete",
                    name=upload.name,
                    files=_files_text(files),
                    sha256=sha256,
                    completed_at=datetime.now(timezone.utc),
                )
            )
        return self.get(upload.id)

    def remove(self, upload_id: str) -> None:
        """Forget an upload; harmless when it is not there."""
        with self._database.session() as session:
            session.execute(delete(UploadRow).where(UploadRow.id == upload_id))


def _files_text(files: Sequence[UploadFile]) -> str:
    return orjson.dumps([asdict(file) for file in files]).decode()


def _record(row: UploadRow) -> UploadRecord:
    return UploadRecord(
        id=row.id,
        name=row.name,
        files=[UploadFile(**file) for file in orjson.loads(row.files)],
        chunk_bytes=row.chunk_bytes,
        state="complete" if row.state == "complete" else "open",
        created_at=row.created_at,
        completed_at=row.completed_at,
        expected_sha256=row.expected_sha256,
        sha256=row.sha256,
        tus_metadata=row.tus_metadata,
    )
