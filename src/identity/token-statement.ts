import { type Guid, parseGuid } from '../perimeter/guid.ts'
import { parseResourceId } from '../perimeter/resource-id.ts'
import type { Statement } from './proof.ts'

/** What a verified token says: who its bearer is and whom it was made for. */
export interface TokenStatement {
  readonly kind: 'statement'
  readonly statement: Statement
  readonly audiences: readonly string[]
}

interface SaysNothing {
  readonly kind: 'nothing'
  /** A fixed phrase for the log. */
  readonly note: string
}

/** A resource is in one perimeter; Entra's claim is a list. */
const maxPerimeters = 64
const maxAudiences = 16

/**
 * Reads the claims of a managed identity: `xms_mirid`, the ARM id of its resource, and `xms_az_nwperimid`, the GUIDs of
 * its perimeters (NSP docs; one alone may stand without a list). A token without the first is a user's or an
 * application's, which is in no perimeter and no subscription. What cannot be read is no identity.
 */
export function readTokenStatement(
  claims: Readonly<Record<string, unknown>>,
): TokenStatement | SaysNothing {
  const { xms_mirid: id, idtyp, aud } = claims
  if (idtyp !== undefined && idtyp !== 'app') return nothing('token of a user')
  if (id === undefined) return nothing('token of no managed identity')
  const resource = typeof id === 'string' ? parseResourceId(id) : undefined
  if (resource === undefined) return nothing('token with a resource id that cannot be read')
  const perimeters = readPerimeters(claims['xms_az_nwperimid'])
  if (perimeters === undefined) return nothing('token with perimeters that cannot be read')
  const audiences = readTexts(aud, maxAudiences)
  if (audiences === undefined) return nothing('token with an audience that cannot be read')
  return {
    kind: 'statement',
    statement: { resource, subscription: resource.subscriptionId, perimeters },
    audiences,
  }
}

function nothing(note: string): SaysNothing {
  return { kind: 'nothing', note }
}

function readPerimeters(claim: unknown): readonly Guid[] | undefined {
  if (claim === undefined) return []
  const texts = readTexts(claim, maxPerimeters)
  const guids = texts?.map(parseGuid).filter((guid) => guid !== undefined)
  return guids?.length === texts?.length ? guids : undefined
}

function readTexts(claim: unknown, max: number): readonly string[] | undefined {
  if (typeof claim === 'string') return [claim]
  if (!Array.isArray(claim) || claim.length > max) return undefined
  const texts = claim.filter((text) => typeof text === 'string')
  return texts.length === claim.length ? texts : undefined
}
