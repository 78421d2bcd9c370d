#include "temp_dir.hpp"

#include <wherry/memory/transaction.hpp>

#include <algorithm>
#include <array>

using namespace wherry;
using namespace wherry_test;

namespace {

/// A fact and two questions that it answers; words come with other particles and endings than in the fact.
struct korean_case {
  char const* fact;
  std::array<char const*, 2> questions;
};

constexpr std::array cases{
    korean_case{"민수는 어제 서울에서 친구를 만났다",
                {"민수가 서울 어디서 친구와 만났나요?", "어제 서울에 간 사람은?"}},
    korean_case{"프로젝트를 금요일까지 끝내야 한다", {"프로젝트 마감은 언제인가요?", "금요일에 끝내는 것은?"}},
    korean_case{"지은이는 커피보다 녹차를 좋아한다", {"지은은 무슨 차를 좋아하나요?", "녹차 좋아하는 사람"}},
    korean_case{"회의실 예약은 총무팀에서 담당한다", {"회의실은 누가 예약하나요?", "총무팀 담당 업무"}},
    korean_case{"부산행 기차는 오전 아홉 시에 출발한다", {"부산 가는 기차는 몇 시에 출발?", "오전 아홉 시 기차"}},
    korean_case{"할머니 생신은 음력 오월 십오일이다", {"할머니의 생신이 언제지?", "음력 오월 생신"}},
    korean_case{"강아지 이름은 보리이고 세 살이다", {"강아지의 이름이 뭐야?", "보리는 몇 살?"}},
    korean_case{"비밀번호는 석 달마다 바꾸어야 한다", {"비밀번호를 얼마마다 바꿔?", "석 달마다 하는 일"}},
    korean_case{"제주도 여행에서 한라산을 올랐다", {"제주도에서 오른 산은?", "한라산 여행"}},
    korean_case{"수영 강습은 화요일과 목요일에 있다", {"수영 강습이 무슨 요일이지?", "목요일에 있는 강습"}},
    korean_case{"아버지는 은퇴하고 시골에서 농사를 짓는다", {"아버지가 시골에서 하시는 일", "농사는 누가 지어?"}},
    korean_case{"노트북 화면이 깨져서 수리점에 맡겼다", {"노트북을 어디에 맡겼지?", "화면 깨진 노트북"}},
    korean_case{"은행 계좌를 새로 만들려면 신분증이 필요하다", {"계좌 만들 때 필요한 것", "신분증이 필요한 은행 일"}},
    korean_case{"도서관은 월요일마다 문을 닫는다", {"도서관 닫는 요일", "월요일에 도서관은?"}},
    korean_case{"수진은 땅콩 알레르기가 있다", {"수진이의 알레르기는?", "땅콩을 못 먹는 사람"}},
    korean_case{"이사할 집은 지하철역에서 걸어서 오 분 거리다",
                {"이사하는 집과 지하철역의 거리", "지하철역에서 오 분"}},
    korean_case{"다음 주에 치과에서 사랑니를 뽑기로 했다", {"사랑니는 어디서 뽑나?", "치과 예약은 다음 주"}},
    korean_case{"영호는 대학에서 물리학을 전공했다", {"영호의 전공은?", "물리학을 전공한 사람"}},
    korean_case{"냉장고에 우유와 달걀이 떨어졌다", {"냉장고에 떨어진 것", "달걀을 사야 하나?"}},
    korean_case{"자동차 보험을 팔월에 갱신해야 한다", {"자동차 보험 갱신은 몇 월?", "팔월에 갱신할 것"}},
    korean_case{"결혼식은 한강이 보이는 식당에서 했다", {"결혼식을 어디에서 했어?", "한강 보이는 식당"}},
    korean_case{"동생은 태권도 검은띠를 땄다", {"동생이 딴 띠는?", "태권도 검은띠"}},
    korean_case{"약은 식사 후 삼십 분에 먹어야 한다", {"약을 언제 먹지?", "식사 후에 먹는 약"}},
    korean_case{"사무실 와이파이 이름은 등대이다", {"사무실의 와이파이 이름", "등대라는 와이파이"}},
    korean_case{"현우는 주말마다 자전거를 탄다", {"현우가 주말에 타는 것", "자전거 타는 사람"}},
    korean_case{"김치찌개에는 돼지고기를 넣는다", {"김치찌개에 넣는 고기는?", "돼지고기가 들어가는 찌개"}},
    korean_case{"세금 신고는 오월 말에 마감된다", {"세금 신고의 마감", "오월 말까지 할 신고"}},
    korean_case{"미술관 표는 인터넷으로 미리 샀다", {"미술관 표를 어떻게 샀지?", "인터넷에서 산 표"}},
    korean_case{"고양이는 캔 사료를 먹지 않는다", {"고양이가 안 먹는 사료", "캔 사료와 고양이"}},
    korean_case{"새 동료는 독일에서 왔고 이름은 한스다", {"독일에서 온 동료의 이름", "한스는 어디에서 왔나?"}}};

}  // namespace

TEST_CASE("Korean questions find their facts", "[memory]") {
  temp_dir dir;
  store const db{dir.path(), {.commit_durability = durability::os}};
  auto const scope = db.scope({});
  transaction tx{scope};
  for (auto const& c : cases) tx.put({.kind = "fact", .text = c.fact});
  tx.commit().value();
  std::size_t found = 0, first = 0;
  for (auto const& c : cases)
    for (auto const* question : c.questions) {
      auto const hits = scope.recall({.text = question, .limit = 5}).value().hits;
      bool const hit = std::any_of(hits.begin(), hits.end(), [&](auto const& h) { return h.record.text == c.fact; });
      if (!hit) UNSCOPED_INFO("not found: " << question);
      found += hit;
      first += !hits.empty() && hits[0].record.text == c.fact;
    }
  INFO("of " << 2 * cases.size() << " questions: " << found << " within 5, " << first << " first");
  CHECK(2 * cases.size() == 60);
  CHECK(found >= 54);  // 90 %
}
