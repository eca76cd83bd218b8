import {
  choice,
  defaulted,
  list,
  object,
  optional,
  required,
  text,
  type Value,
} from '../documents/shape.ts'
import { categories } from '../perimeter/category.ts'
import { maxNameLength, namePattern, nameRule } from '../perimeter/name-rule.ts'

/**
 * The one declaration of a perimeter file in its native form. Keys and spellings are those of the NSP REST API. The
 * validation, the type of what is read and `config/perimeter.schema.json` come from it.
 */

const name = text({ pattern: namePattern, says: nameRule, maxLength: maxNameLength })
const profileNames = list(text())
const maxDescriptionLength = 140

const cannotBeEnforced = 'a proxy cannot see these; take them out'
const foreignForm =
  'that is the form of the REST API, which is read from bodies with an `id` or from a template; write its keys here'

const accessRule = object(
  {
    name: required(name, 'name of the rule; the access log prints it'),
    direction: defaulted(choice(['Inbound', 'Outbound']), {
      default: 'Inbound',
      description: "from the protected resource's point of view",
    }),
    addressPrefixes: optional(list(text()), 'inbound: source prefixes, IPv4 and IPv6'),
    subscriptions: optional(
      list(object({ id: required(text(), '`/subscriptions/{guid}`') })),
      'inbound: subscriptions of verified callers',
    ),
    serviceTags: optional(
      list(text()),
      'inbound: services by the names of `policy.serviceTagsFile`, such as `Storage.WestEurope`',
    ),
    fullyQualifiedDomainNames: optional(
      list(text()),
      'outbound: exact names, or `*.` over at least two labels',
    ),
  },
  {
    emailAddresses: cannotBeEnforced,
    phoneNumbers: cannotBeEnforced,
    networkSecurityPerimeters: 'links say which perimeters are let in',
    properties: foreignForm,
  },
)

const profile = object(
  {
    name: required(name, 'name of the profile'),
    accessRules: defaulted(list(accessRule), {
      default: [],
      description: 'rules only allow; an empty list denies',
    }),
  },
  { properties: foreignForm },
)

const association = object({
  name: required(name, 'name of the association'),
  privateLinkResource: required(
    object({ id: required(text(), 'full id, or the bare name of a resource in settings') }),
    'the resource',
  ),
  profile: required(
    object({ id: required(text(), 'full id, or the name of a profile of this perimeter') }),
    'the profile whose rules hold for it',
  ),
  accessMode: defaulted(
    choice(['Learning', 'Enforced', 'Audit'], {
      Transition: "that is the portal's name for `Learning`",
      transition: "that is the portal's name for `Learning`",
    }),
    {
      default: 'Learning',
      description:
        '`Learning` falls back to the own rules of the resource, `Enforced` denies, `Audit` only logs',
    },
  ),
})

const link = object({
  name: required(name, 'name of the link'),
  autoApprovedRemotePerimeterResourceId: required(text(), 'resource id of the other perimeter'),
  localInboundProfiles: defaulted(profileNames, {
    default: [],
    description: 'profiles of this perimeter that the other may reach; `*` is all, empty is none',
  }),
  remoteInboundProfiles: defaulted(profileNames, {
    default: [],
    description:
      'profiles of the other perimeter that this one may reach, where it approves automatically',
  }),
  description: optional(text({ maxLength: maxDescriptionLength }), 'ignored'),
})

const linkReference = object({
  name: required(name, 'name of the link reference'),
  remotePerimeterResourceId: required(
    text(),
    'resource id of the perimeter whose link this answers',
  ),
  localInboundProfiles: defaulted(profileNames, {
    default: [],
    description: 'profiles of this perimeter that the other may reach; `*` is all, empty is none',
  }),
  status: required(
    choice(['Approved', 'Pending', 'Rejected', 'Disconnected']),
    'a link counts only while this is `Approved`',
  ),
  description: optional(text({ maxLength: maxDescriptionLength }), 'ignored'),
})

export const perimeterShape = object(
  {
    $schema: optional(text(), 'for editors; ignored'),
    name: required(name, 'name of the perimeter'),
    subscriptionId: optional(
      text(),
      "GUID of its subscription; default that of the settings' `scope`",
    ),
    resourceGroup: optional(
      text({ maxLength: 90 }),
      "its resource group; default that of the settings' `scope`",
    ),
    location: defaulted(text({ maxLength: 80 }), {
      default: 'local',
      description: 'printed in the access log',
    }),
    perimeterGuid: optional(
      text(),
      'the GUID that tokens carry; absent: UUIDv5 (URL namespace) of the lower-cased resource id',
    ),
    profiles: defaulted(list(profile), { default: [], description: 'sets of access rules' }),
    resourceAssociations: defaulted(list(association), {
      default: [],
      description: 'the members: which resource under which profile in which mode',
    }),
    links: defaulted(list(link), { default: [], description: 'links to other perimeters' }),
    linkReferences: defaulted(list(linkReference), {
      default: [],
      description: "our consent to other perimeters' links",
    }),
    loggingConfiguration: defaulted(
      object({
        enabledLogCategories: defaulted(list(choice(categories)), {
          default: [],
          description: 'categories that are logged; empty: all',
        }),
      }),
      { default: {}, description: 'the access log of this perimeter' },
    ),
  },
  { properties: foreignForm },
)

/** A perimeter as written, of the right shape and with defaults, before it is checked for what it means. */
export type PerimeterValue = Value<typeof perimeterShape>
export type ProfileValue = PerimeterValue['profiles'][number]
export type AccessRuleValue = ProfileValue['accessRules'][number]
export type AssociationValue = PerimeterValue['resourceAssociations'][number]
