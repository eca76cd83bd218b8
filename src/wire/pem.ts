/** One block of a PEM file (RFC 7468). */
export interface PemBlock {
  /** In lines of 64, whatever the file has, so that equal contents are equal texts. */
  readonly pem: string
  readonly der: Buffer
}

/** The blocks with this label, in order; whatever stands between them counts for nothing. */
export function pemBlocks(text: string, label: string): readonly PemBlock[] {
  const pattern = new RegExp(
    `-----BEGIN ${label}-----([A-Za-z0-9+/=\\s]*)-----END ${label}-----`,
    'g',
  )
  return Array.from(text.matchAll(pattern), ([, content = '']) => {
    const der = Buffer.from(content, 'base64')
    const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n')
    return { der, pem: `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n` }
  })
}

const anyBlock = /-----BEGIN ([A-Z0-9 ]+)-----[A-Za-z0-9+/=\s]*-----END \1-----/g

/** Whether there is something that was to be a block, of whatever label, and is none: a letter is wrong, or the end is missing. */
export function hasDamage(text: string): boolean {
  return /-----|-\s*$/.test(text.replace(anyBlock, ''))
}
