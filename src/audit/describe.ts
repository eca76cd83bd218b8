import type { CloseReason, DecisionReason } from '../reasons.ts'

/** `resultDescription`: one fixed sentence for each reason, for whoever reads the log. */
export const decisionDescriptions = {
  'private-endpoint': 'Arrived over an approved private endpoint',
  'locked-down': 'The resource is secured by perimeter and no perimeter associates it',
  'public-access-disabled': 'Public network access to the resource is disabled',
  'resource-rules': "Decided by the resource's own rules",
  'same-perimeter': 'Both ends are members of the same perimeter',
  'linked-perimeter': 'A link between the two perimeters covers the profile',
  'access-rule': 'An access rule of the profile matched',
  'audit-mode': 'No access rule matched; the association only audits',
  'no-matching-rule': 'No access rule of the profile matched',
  'not-associated': 'No perimeter associates the resource',
  'port-not-allowed': 'An access rule matched the name, but rules do not cover the port',
  'learning-mode': 'No access rule matched; the association is learning',
  'bad-request': 'The request was malformed or ambiguous',
  'unknown-resource': 'The request was for a host that is no resource of this instance',
  'unknown-caller': 'The caller could not be identified',
  'private-endpoint-not-approved':
    'Arrived over a private endpoint that the resource has not approved',
  limit: 'A limit of this instance was reached',
  loop: 'The request led back to this instance or went round in circles',
  'address-not-public': 'The allowed name led to an address that must not be connected to',
  'name-mismatch': 'The request named another host than the one that was decided',
  'policy-revoked': 'The policy changed and no longer allows it',
  'internal-error': 'A fault of this instance; denied to be safe',
} as const satisfies Record<DecisionReason, string>

/** The same for end lines. */
export const endDescriptions = {
  'dns-failed': 'The name could not be resolved',
  'dns-timeout': 'The name was not resolved in time',
  'connect-refused': 'The other side refused the connection',
  'connect-timeout': 'The other side did not accept the connection in time',
  'connect-failed': 'The other side could not be connected to',
  'tls-failed': 'No secure connection to the other side could be made',
  'backend-timeout': 'The other side did not answer in time',
  'backend-reset': 'The other side broke the connection',
  'backend-invalid': 'The other side gave an answer that is not valid HTTP',
  loop: 'The other side was a listener of this instance',
  complete: 'Ended as it should',
  'client-closed': 'The client closed the connection',
  'client-reset': 'The client broke the connection',
  'client-invalid': 'The client sent what is not valid HTTP',
  'body-idle-timeout': 'No byte of the body moved in time',
  'tunnel-idle-timeout': 'No byte moved in the tunnel in time',
  'tunnel-lifetime': 'The tunnel reached its longest lifetime',
  'policy-revoked': 'The policy changed and no longer allows it',
  'drain-timeout': 'This instance stopped before it ended',
  'internal-error': 'A fault of this instance ended it',
} as const satisfies Record<CloseReason, string>
