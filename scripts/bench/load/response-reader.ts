/** Takes what arrived; may keep a copy, never the buffer. */
export type ReadResponses = (bytes: Buffer) => void

const headEnd = Buffer.from('\r\n\r\n')
const statusAt = 9
const statusLength = 3

/**
 * Reads responses that are framed by Content-Length, one after the other, as cheaply as possible; calls `onResponse` for
 * each that is complete.
 *
 * What is read throws where a response has another status than 200 or another framing: then nothing that is measured
 * means anything.
 */
export function createResponseReader(onResponse: () => void): ReadResponses {
  let bodyLeft = 0
  let part: Buffer | undefined

  return (arrived) => {
    let bytes = part === undefined ? arrived : Buffer.concat([part, arrived])
    part = undefined
    while (bytes.length > 0) {
      if (bodyLeft > 0) {
        const taken = Math.min(bodyLeft, bytes.length)
        bodyLeft -= taken
        if (bodyLeft > 0) return
        onResponse()
        if (taken === bytes.length) return
        bytes = bytes.subarray(taken)
      }
      const end = bytes.indexOf(headEnd)
      if (end === -1) {
        part = Buffer.from(bytes)
        return
      }
      bodyLeft = lengthOfBody(bytes.toString('latin1', 0, end))
      bytes = bytes.subarray(end + headEnd.length)
      if (bodyLeft === 0) onResponse()
    }
  }
}

function lengthOfBody(head: string): number {
  const status = head.slice(statusAt, statusAt + statusLength)
  if (status !== '200') throw new Error(`the proxy answered ${head}`)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length === undefined) throw new Error(`the proxy's answer has no Content-Length: ${head}`)
  return Number(length)
}
