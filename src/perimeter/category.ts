/** The access log's categories, spelled as NSP does (NSP docs, diagnostic logs). */
export const categories = [
  'NspPublicInboundPerimeterRulesAllowed',
  'NspPublicInboundPerimeterRulesDenied',
  'NspPublicOutboundPerimeterRulesAllowed',
  'NspPublicOutboundPerimeterRulesDenied',
  'NspPublicInboundResourceRulesAllowed',
  'NspPublicInboundResourceRulesDenied',
  'NspPublicOutboundResourceRulesAllowed',
  'NspPublicOutboundResourceRulesDenied',
  'NspIntraPerimeterInboundAllowed',
  'NspOutboundAttempt',
  'NspCrossPerimeterInboundAllowed',
  'NspCrossPerimeterOutboundAllowed',
  'NspPrivateInboundAllowed',
] as const

export type Category = (typeof categories)[number]

export type TrafficType = 'Private' | 'Public' | 'Intra' | 'Cross'
