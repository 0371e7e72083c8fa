"""The XMP packet that says where a decoded picture comes from.

Vocabulary: XMP specification part 1 (ISO 16684-1); IPTC Photo Metadata Standard 2023.2,
"Digital Source Type": https://cv.iptc.org/newscodes/digitalsourcetype/
"""

from __future__ import annotations

from typing import Final

GENERATED_SOURCE: Final = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)

RECEIVED: Final = "Reconstructed by wisp from a compressed file."
_PARTIAL: Final = "Reconstructed by wisp from a part of a compressed file; nothing vouches for it."
_GENERATED: Final = (
    "Reconstructed by wisp from a compressed file; a trained model made up some of its detail."
)

_PACKET: Final = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
   <xmp:CreatorTool>wisp</xmp:CreatorTool>
   <dc:description>
    <rdf:Alt><rdf:li xml:lang="x-default">{description}</rdf:li></rdf:Alt>
   </dc:description>{source}
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""

_SOURCE: Final = f"\n   <Iptc4xmpExt:DigitalSourceType>{GENERATED_SOURCE}</Iptc4xmpExt:DigitalSourceType>"


def reconstruction_xmp(generated: bool, partial: bool = False) -> str:
    """The packet for a picture that wisp decoded.

    Args:
        generated: some tokens were not in the file but were made up by a model.
        partial: what the file holds arrived in part.
    """
    parts = [_PARTIAL if partial else RECEIVED, _GENERATED]
    description = " ".join(parts) if generated and partial else parts[generated]
    return _PACKET.format(description=description, source=_SOURCE if generated else "")
