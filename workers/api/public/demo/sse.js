// The frames of a stream: `data: <JSON>` lines, each followed by an empty line.

/**
 * Yield the values of a stream's frames, as they come; ends with the body. `[DONE]` is for clients that cannot see the end of a body.
 * Bytes that end in the middle of a frame or of a character wait for the rest.
 *
 * @param {ReadableStream<Uint8Array>} body
 */
export async function* readFrames(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (pending + value).split("\n");
      pending = lines.pop();
      for (const line of lines) {
        const data = dataOf(line);
        if (data && data !== "[DONE]") yield JSON.parse(data);
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function dataOf(line) {
  return line.startsWith("data:") ? line.slice(5).trim() : "";
}
