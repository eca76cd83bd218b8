/** Mail providers of private persons: a name that holds one holds an address. */
const mailProviders =
  /(?:^|[._-])(?:gmail|googlemail|hotmail|outlook|yahoo|icloud|gmx|protonmail|proton)\.(?:com|net|de|me|org)$/i

/** `jane.doe-at-corp.example`, `jane_at_corp.example`, `jane@corp.example`. */
const mailAddress = /[a-z0-9](?:@|[._-]at[._-])[a-z0-9-]+\.[a-z]{2,}/i

/** Nine digits or more in a row, perhaps grouped: a telephone number, an account, an identity card. */
const longNumber = /(?:^|[^0-9a-f])\+?[0-9](?:[ .-]?[0-9]){8,14}(?![0-9a-f])/i

const guid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi
const ipv4Address = /(?:[0-9]{1,3}[.-]){3}[0-9]{1,3}/g

/**
 * Whether a name looks as if it told about a person, as the middle of a sentence; undefined where it does not. Names
 * end up in logs that many read (NSP docs: rule names should hold no personal data). A guess, so only ever a warning.
 */
export function personalData(text: string): string | undefined {
  if (mailAddress.test(text) || mailProviders.test(text)) return 'looks like a mail address'
  const rest = text.replace(guid, '').replace(ipv4Address, '')
  return longNumber.test(rest) ? 'looks like a telephone or account number' : undefined
}
