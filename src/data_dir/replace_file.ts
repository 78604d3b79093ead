/**
 * Writes a file aside and renames it into place: nobody reads half a file, none is left after a crash, and a
 * link in its place is replaced and not followed.
 *
 * @param mode of the file, whatever the one before it had
 * @throws what the file system throws; then the file is as it was
 */
export function replaceFile(file: string, text: string, mode: number): void {
  const draft = `${file}.${crypto.randomUUID()}`;
  try {
    {
      using written = Deno.openSync(draft, { write: true, createNew: true, mode });
      writeAll(written, new TextEncoder().encode(text));
      // Or, after a power cut, the name could be there before what it names.
      written.syncSync();
    }
    Deno.renameSync(draft, file);
  } catch (error) {
    try {
      Deno.removeSync(draft);
    } catch {
      // It was not made.
    }
    throw error;
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
}
