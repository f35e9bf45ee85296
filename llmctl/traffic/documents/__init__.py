"""From the bytes of a file to its documents: unpacked, decoded, cut into JSON values or rows, in bounded memory."""
