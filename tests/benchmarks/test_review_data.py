"""Which reviews count as the same, by hand."""

from tests.benchmarks.review_data import apart, groups, runs

HOTEL = "房间很干净，服务员也非常热情，下次还会来住的。"


def test_runs_leave_out_what_is_no_letter():
    assert runs("一二三四，五六七八 九") == {"一二三四五六七八", "二三四五六七八九"}
    assert runs("很好！") == {"很好"}


def test_copies_and_repeats_are_left_out():
    shop = "手机屏幕很大，电池也够用一天，就是有点重。"
    texts = [shop, HOTEL.replace("，", " "), "前台说：" + HOTEL, shop, "很好"]
    assert apart(texts, [HOTEL]).tolist() == [3, 4]


def test_near_copies_stand_in_one_group():
    other = "位置太偏，交通不方便，早餐品种很少而且都凉了。"
    found = groups([other, HOTEL, HOTEL[:-4] + "不来了", "前台说：" + HOTEL])
    assert found[1] == found[2] == found[3] != found[0]
