/** What the header of a JPEG's frame says. */
export interface JpegFrame {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 3 colour, 4 as for print. */
  readonly components: number;
}

/**
 * The frame of a JPEG, as it is stored and not yet turned upright (ITU-T T.81, annex B,
 * https://www.w3.org/Graphics/JPEG); null where the bytes are no JPEG or the header is not plain: then a
 * decoder has to be asked.
 */
export function jpegFrame(bytes: Uint8Array): JpegFrame | null {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // A marker, its length, and for a frame its precision, height, width and number of components.
  for (let at = 2; at + 10 <= bytes.length; ) {
    if (bytes[at] !== 0xff) return null;
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at++; // filling
      continue;
    }
    if (isFrame(marker))
      return {
        height: view.getUint16(at + 5),
        width: view.getUint16(at + 7),
        components: bytes[at + 9]!,
      };
    const isSegment = marker >= 0xc0 && marker !== SCAN && !(marker >= 0xd0 && marker <= 0xd9);
    if (!isSegment) return null;
    at += 2 + view.getUint16(at + 2);
  }
  return null;
}

const SCAN = 0xda;

/** SOF0 to SOF15, without the tables for Huffman codes (C4), arithmetic codes (CC) and the reserved C8. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}
